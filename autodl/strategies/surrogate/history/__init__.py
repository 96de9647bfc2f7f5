"""Surrogates that earlier runs teach what to expect."""
