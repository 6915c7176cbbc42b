"""Triton kernels run in its interpreter where there is no GPU. It decides when first imported, so it is told here."""

import os

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")
