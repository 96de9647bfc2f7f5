"""Configurations that the authors of APS released, and the costs they quote (exact)."""

RESNET20 = [8] * 7 + [16] * 4 + [32] * 3 + [64] * 5
RESNET56 = [16] * 3 + [8] * 20 + [16] * 10 + [32] * 10 + [64] * 12
RESNET18_LARGE = [48, *[64] * 3, 48, 160, 128, 96, 96, 320, *[256] * 3, 512, 512, 640, 640]
RESNET18_SMALL = [32, 48, 48, 48, 64, 96, 64, 96, 96, *[192] * 4, 384, 384, 384, 640]
MOBILE_LARGE = [
    *(40, 40, 20, 60, 60, 30, 72, 72, 30, 90, 90, 40, 120, 120, 40, 120, 120, 40, 96, 96, 80),
    *(192, 192, 80, 144, 144, 80, 240, 240, 80, 480, 480, 120, 432, 432, 120, 576, 576, 120),
    *(432, 432, 200, 1200, 1200, 200, 960, 960, 200, 1200, 1200, 400, 1600),
]
MOBILE_SMALL = [
    *(24, 24, 12, 36, 36, 24, 54, 54, 24, 90, 90, 24, 72, 72, 24, 72, 72, 24, 72, 72, 64),
    *(192, 192, 64, 96, 96, 64, 96, 96, 64, 192, 192, 48, 288, 288, 48, 576, 576, 48, 576, 576),
    *(160, 960, 960, 160, 720, 720, 160, 960, 960, 240, 1280),
]


def standard(blocks, widths):
    """Channel numbers of a usual ResNet."""
    return [widths[0], *(width for width in widths for _ in range(2 * blocks))]


ANCHORS = [
    ("resnet20", RESNET20, "stem_and_3x3", 20_570_112),
    ("resnet56", RESNET56, "stem_and_3x3", 60_309_504),
    ("resnet20", standard(3, (16, 32, 64)), "stem_and_3x3", 40_550_400),
    ("resnet56", standard(9, (16, 32, 64)), "stem_and_3x3", 125_485_056),
    ("resnet18", RESNET18_LARGE, "all_and_bias", 1_833_670_632),
    ("resnet18", RESNET18_SMALL, "all_and_bias", 1_055_139_816),
    ("resnet18", standard(2, (64, 128, 256, 512)), "all_and_bias", 1_814_074_344),
    ("mobilenet_v2", MOBILE_LARGE, "all_and_bias", 314_005_400),
    ("mobilenet_v2", MOBILE_SMALL, "all_and_bias", 156_661_176),
]
