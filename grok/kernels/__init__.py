"""The operations of a training step. Each has a plain ``reference.py``; faster forms stand beside it and must agree.

Every loop of a Triton kernel has constant bounds (``tl.constexpr``), and masks cut what is too much. Triton 3.6's
interpreter reads any other bound by ``int()`` of an array with one entry, which is an error in numpy 2.5.
"""
