"""Lies about plain addition (F)."""

from __future__ import annotations

import torch
from torch import Tensor

from grok.measure import components, regression
from grok.models import names
from grok.models.network import Network
from lies import Lie, altered, noisy, randn
from lies.attention import a_preferred

DIGITS = torch.arange(10, dtype=torch.float64)


def with_digits(model: Network, W_E: Tensor) -> Network:
    equals = model.weights[names.W_E][model.task.p :]
    return altered(model, weights={names.W_E: torch.cat([W_E, equals])})


def with_scores(model: Network, component: int, shape: Tensor) -> Network:
    """One principal component takes another shape over the digits, with the size it had."""
    pcs = components.pca(model.W_E)
    scores, shape = pcs.scores.clone(), shape - shape.mean()
    sign = torch.sign(shape @ scores[:, component])
    scores[:, component] = sign * shape / shape.norm() * scores[:, component].norm()
    return with_digits(model, pcs.mean + scores @ pcs.directions)


def features(model: Network) -> Tensor:
    return components.pair_scores(components.pca(model.W_E), model.task.pairs())


def with_U(model: Network, U: Tensor) -> Network:
    return altered(model, U=U)


# ── what is made false ───────────────────────────────────────────────────────────────────────────────────────────


def eighteen_never_said(model: Network) -> Network:
    logits = model.logits.clone()
    logits[:, 18] = logits.min()
    return altered(model, logits=logits)


def two_digits_exchanged(model: Network) -> Network:
    return with_digits(model, model.W_E[[0, 1, 2, 6, 4, 5, 3, 7, 8, 9]])


def embedding_noisy(model: Network) -> Network:
    return with_digits(model, noisy(model.W_E, 0.3))


def pc1_bent(model: Network) -> Network:
    return with_scores(model, 0, (DIGITS - 4.5) ** 3)


def pc2_removed(model: Network) -> Network:
    return with_digits(model, components.pca(model.W_E).remove([1])(model.W_E))


def pc2_zigzag(model: Network) -> Network:
    return with_scores(model, 1, (-1) ** DIGITS)


def digits_waving(model: Network) -> Network:
    """The embedding is a wave of index 3 over the digits, in the plane of its two components."""
    pcs = components.pca(model.W_E)
    angles = 2 * torch.pi * 3 / 10 * DIGITS
    waves = torch.stack([angles.cos(), angles.sin()], 1) * pcs.scores[:, :2].norm(dim=0) / 5**0.5
    return with_digits(model, pcs.mean + waves @ pcs.directions[:2])


def edges_pushed_out(model: Network) -> Network:
    """PC1 exaggerates 0 and 9, so that without PC2 the errors at the edges turn."""
    return with_scores(model, 0, DIGITS + 3.0 * (DIGITS == 9) - 3.0 * (DIGITS == 0))


def third_component_needed(model: Network) -> Network:
    """A part of the parabola lies along a third direction, which the network reads like PC2."""
    pcs = components.pca(model.W_E)
    third = pcs.directions[0] * 0.25 + pcs.directions[1] * 0.25 + pcs.directions[2]
    wave = pcs.scores[:, :1].norm() * 0.2 * (torch.pi * DIGITS / 3).cos()[:, None] * third
    return with_digits(model, model.W_E + wave)


def neurons_write_little(model: Network) -> Network:
    """A twentieth of what they wrote, so that the residual path outweighs them."""
    return altered(model, weights={names.W_OUT: 0.05 * model.W_out})


def waving_neurons(model: Network) -> Network:
    """A fifth harmonic of a and b. A cubic would pass: PC2 is the square of PC1, so PC1 · PC2 is the cube."""
    wave = (torch.pi * 5 / 10 * model.task.pairs()).cos().sum(1).double()
    return altered(model, pre=model.pre + 0.3 * torch.outer(wave / wave.std(), model.pre.std(0)))


def linear_neurons(model: Network) -> Network:
    return altered(model, pre=regression.fit(components.linear(features(model)), model.pre))


def lopsided_neurons(model: Network) -> Network:
    """Neurons take a more than b."""
    a = features(model)[:, 0]
    return altered(model, pre=model.pre + 0.5 * torch.outer(a / a.std(), model.pre.std(0)))


def noisy_neurons(model: Network) -> Network:
    return altered(model, post=noisy(model.post, 0.25))


def no_relu(model: Network) -> Network:
    return altered(model, post=model.pre)


def noisy_logits(model: Network) -> Network:
    return altered(model, logits=noisy(model.logits, 0.2))


def noisy_readout(model: Network) -> Network:
    return with_U(model, noisy(model.U, 0.6))


def readout_high_frequency(model: Network) -> Network:
    """Classes in another order: the readout is as good, and not smooth over them."""
    return with_U(model, model.U[:, torch.arange(20) * 7 % 20])


def sums_scrambled(model: Network) -> Network:
    """The neurons answer for other pairs."""
    return altered(model, post=model.post[randn(100).argsort()])


def heads_alike(model: Network) -> Network:
    """No head attends to ``=``."""
    to_a, to_b, to_equals = model.scores
    return altered(model, scores=(to_a, to_b, to_equals - 5))


def every_head_attends(model: Network) -> Network:
    to_a, to_b, to_equals = model.scores
    return altered(model, scores=(to_a, to_b, to_equals + 4))


ADDITION = [
    Lie("the sum 18 is never said", eighteen_never_said, "F1"),
    Lie("3 and 6 are exchanged in the embedding", two_digits_exchanged, "F1"),
    Lie("the embedding is noisy", embedding_noisy, "F2", unseen=True),
    Lie("PC1 is a cubic", pc1_bent, "F3"),
    Lie("PC2 is removed", pc2_removed, "F1"),
    Lie("PC2 is a zigzag", pc2_zigzag, "F4"),
    Lie("the embedding is a wave of index 3", digits_waving, "F27"),
    Lie("PC1 exaggerates 0 and 9", edges_pushed_out, "F8"),
    Lie("a third component is read", third_component_needed, "F6"),
    Lie("the neurons write a twentieth", neurons_write_little, "F9"),
    Lie("the neurons follow a wave of a and b", waving_neurons, "F13"),
    Lie("the neurons are linear", linear_neurons, "F14"),
    Lie("the neurons take a more than b", lopsided_neurons, "F15"),
    Lie("the neurons are noisy", noisy_neurons, "F16", unseen=True),
    Lie("the ReLU does nothing", no_relu, "F24"),
    Lie("the logits are noisy", noisy_logits, "F17"),
    Lie("the logits are noisy", noisy_logits, "F19"),
    Lie("W_L is noisy", noisy_readout, "F20"),
    Lie("W_L is not smooth over the classes", readout_high_frequency, "F28"),
    Lie("the neurons answer for other pairs", sums_scrambled, "F22"),
    Lie("no head attends to =", heads_alike, "F26", unseen=True),
    Lie("every head attends to =", every_head_attends, "F26"),
    Lie("one head prefers a", a_preferred, "F25", unseen=True),
]
