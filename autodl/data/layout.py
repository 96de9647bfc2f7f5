"""Which folders of a data set are its parts, and which its classes.

pictures/cat/1.png  pictures/dog/7.jpg                           classes alone
pictures/train/cat/1.png  pictures/test/dog/7.jpg                parts, and classes in each
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autodl.data.names import normal, shown
from autodl.data.picture import pictures_in
from autodl.errors import DataError

TRAIN, VAL, TEST = "training", "validation", "test"
PART_NAMES = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the classes are: in ``train`` and ``test``, or in ``train`` alone, to be cut.

    ``unread`` are other folders beside the parts. One of them may be ``held_out``, a validation
    part beside a test part.
    """

    train: Path
    test: Path | None
    unread: tuple[Path, ...] = ()
    held_out: Path | None = None


def part_of(folder: Path) -> str | None:
    """Which part a folder's name stands for, in capitals or not; None if it stands for none."""
    return PART_NAMES.get(normal(folder.name).casefold())


def sub_folders(path: Path) -> list[Path]:
    """Sub-folders by name, without those that file managers and archivers leave behind.

    The order is that of the names in normal form, so that it is the same in every part.
    """
    folders = [
        entry
        for entry in path.iterdir()
        if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))
    ]
    return sorted(folders, key=lambda folder: (normal(folder.name), folder.name))


def find_layout(path: Path) -> Layout:
    """Parts first, then classes: a training part and one more, each with folders in it.

    A class may have the name of a part as long as the folders in question hold no folders, and
    other classes stand beside it.

    Raises:
        DataError: there are parts, but not in a form that can be used; each has its own message.
        OSError: a folder cannot be read.
    """
    folders = sub_folders(path)
    parts = {folder: part for folder in folders if (part := part_of(folder))}
    with_classes = [folder for folder in parts if sub_folders(folder)]
    found = {parts[folder] for folder in with_classes}
    if TRAIN in found and len(found) > 1:
        _refuse_twice(path, {folder: parts[folder] for folder in with_classes})
        by_part = {parts[folder]: folder for folder in with_classes}
        test = by_part.get(TEST) or by_part[VAL]
        used = (by_part[TRAIN], test)
        unread = tuple(folder for folder in folders if folder not in used)
        return Layout(*used, unread, by_part.get(VAL) if TEST in by_part else None)
    if parts and len(parts) == len(folders):
        _refuse_parts(path, parts, with_classes)
    return Layout(path, None)


def _refuse_twice(path: Path, parts: dict[Path, str]) -> None:
    for part in (TRAIN, VAL, TEST):
        same = [repr(folder.name) for folder in parts if parts[folder] == part]
        if len(same) > 1:
            raise DataError(
                f"{shown(path)} has {len(same)} {part} parts, {' and '.join(same)}: leave one"
            )


def _refuse_parts(path: Path, parts: dict[Path, str], with_classes: list[Path]) -> None:
    """Say what is wrong with folders all of which have names of parts."""
    names = " and ".join(repr(folder.name) for folder in parts)
    flat = [folder for folder in parts if folder not in with_classes]
    if not with_classes:
        raise DataError(
            f"{shown(path)} has no classes: {names} are parts of a data set, and without folders"
            " in them. Make a folder for each class in each part"
        )
    if flat:
        raise DataError(
            f"the part {shown(flat[0])} has no class folders: make one for each class, or"
            f" give {shown(with_classes[0])} instead, of which a share then becomes the test part"
        )
    if TRAIN not in parts.values():
        raise DataError(f"{shown(path)} has {names} but no training part: add the folder 'train'")
    raise DataError(
        f"{shown(path)} has a training part but no test part: add the folder 'test', or give"
        f" {shown(with_classes[0])} instead, of which a share then becomes the test part"
    )


def refuse_too_few(path: Path, folders: list[Path]) -> None:
    """Refuse a folder with fewer than two class folders, and say what it may have been meant as.

    Raises:
        DataError: always, if there are fewer than two.
    """
    if len(folders) >= 2:
        return
    hint = ""
    if folders:
        found = f"only {folders[0].name!r}"
        if len(sub_folders(folders[0])) > 1:
            hint = f". The classes seem to lie deeper: give {shown(folders[0])} instead"
    else:
        loose = len(pictures_in(path).pictures)
        found = f"none, but {loose} pictures without a class" if loose else "none"
    raise DataError(
        f"{shown(path)} needs at least 2 sub-folders of pictures, one per class; it has"
        f" {found}{hint}"
    )
