"""The plots of one network, as plotly figures drawn by the rules of the page (``grok.report.figure``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from einops import rearrange
from torch import Tensor

from grok import views
from grok.errors import NotEvaluable
from grok.measure import addition, components, embedding, spectrum, trajectory
from grok.models.network import Network

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Plots:
    """Each method returns a ``plotly.graph_objects.Figure``, which a notebook shows and ``write_html`` saves.

    name: of the network. run: its trajectory, None for a single file.
    """

    name: str
    network: Network
    run: dict[str, list[Any]] | None

    def losses(self) -> go.Figure:
        """Train, test, restricted and excluded loss at every recorded step, with the ends of the three phases.

        Raises NotEvaluable for a single file, which has no training run.
        """
        if self.run is None:
            raise NotEvaluable("a single file has no training run to plot: load the folder that `grok train` made")
        names = ("train_loss", "test_loss", "restricted_loss", "excluded_loss")
        curves = {name: self.run[name] for name in names if _is_known(self.run.get(name))}
        try:
            found = trajectory.phases(self.run["steps"], self.run["train_loss"], self.run["test_loss"])
            ends = {"memorised": found.memorised, "circuit formed": found.circuit, "cleaned up": found.cleanup}
        except NotEvaluable:
            ends = {}
        return self._figure("loss_curves", "losses", steps=self.run["steps"], **curves, phases=ends)

    def fourier(self, of: str = "U") -> go.Figure:
        """Norm of a matrix on each frequency: of ``U`` over the classes, or of ``W_E`` over the tokens.

        For plain addition, which has no Fourier basis of its own, it is the norm on each index of the real FFT.
        """
        matrices = {"U": self.network.U.T, "W_E": self.network.W_E}
        if of not in matrices:
            raise ValueError(f"fourier(of=…) is one of {', '.join(matrices)}, found {of!r}")
        task = self.network.task
        if task.modular:
            norms = embedding.fourier_norms(matrices[of], blocks=task.blocks)
        else:
            norms = addition.rfft_powers(matrices[of]).sqrt()[1:]
        return self._figure("fourier_norms", f"{of} per frequency", frequencies=range(1, len(norms) + 1), norm=norms)

    def spectrum(self, of: str = "logits") -> go.Figure:
        """Norm of ``logits``, ``post`` or ``pre`` on each pair of frequencies, one of a and one of b, centred.

        A network that reads a + b from products of equal frequencies has its norm on the diagonal.
        """
        powers = {"logits": "logit_powers", "post": "post_powers", "pre": "pre_powers"}
        if of not in powers:
            raise ValueError(f"spectrum(of=…) is one of {', '.join(powers)}, found {of!r}")
        norms = spectrum.norms(getattr(self.network.spectrum, powers[of]))
        return self._figure("spectrum_2d", f"{of} per pair of frequencies", norm=norms)

    def neuron(self, index: int) -> go.Figure:
        """Activation of one neuron after the ReLU over all pairs (a, b)."""
        table = self._over_pairs(self.network.post[:, index])
        return self._figure("activations", f"neuron {index} over (a, b)", activation=table)

    def attention(self, head: int) -> go.Figure:
        """Attention of ``=`` to the first number in one head, over all pairs (a, b), 0 … 1.

        Raises NotEvaluable for an architecture without attention.
        """
        pattern = getattr(self.network, "pattern", None)
        if pattern is None:
            raise NotEvaluable(f"the architecture {self.network.architecture} has no attention from =")
        table = self._over_pairs(pattern[:, head, 0])
        return self._figure("activations", f"attention to a in head {head}", attention=table)

    def circle(self, frequency: int | None = None) -> go.Figure:
        """The tokens along the two directions of the embedding on which cos w_k t and sin w_k t lie.

        frequency: k, the first key frequency if it is not given. The directions are W_Eᵀ f of norm one, for the basis
        functions f = cos k and sin k over the tokens: on a circle, token t stands at the angle w_k t.
        """
        k = self.network.key_frequencies[0] if frequency is None else frequency
        W_E = self.network.W_E
        x, y = views.circle(W_E, k).unbind(1)
        tokens = [str(t) for t in range(len(W_E))]
        return self._figure("circle", f"tokens on the circle of k = {k}", x=x, sin_k=y, text=tokens)

    def pcs(self) -> go.Figure:
        """Scores of the tokens on the first two principal components of the embedding; their signs are arbitrary."""
        scores = components.pca(self.network.W_E).scores
        return self._figure(
            "pcs", "embedding along PC1 and PC2", tokens=range(len(scores)), PC1=scores[:, 0], PC2=scores[:, 1]
        )

    def errors(self) -> go.Figure:
        """Predicted minus right answer of every pair: 0 wherever the network is right."""
        table = addition.error_table(self.network.logits, self.network.labels, self.network.task.n)
        return self._figure("error_table", "predicted minus right answer", error=table)

    def _over_pairs(self, values: Tensor) -> Tensor:
        return rearrange(values, "(a b) -> a b", a=self.network.task.n)

    def _figure(self, kind: str, what: str, **data: Any) -> go.Figure:
        from grok.report.figure import figure

        return figure(kind, f"{self.name}: {what}", data)


def _is_known(column: Sequence[float | None] | None) -> bool:
    return column is not None and all(value is not None for value in column)
