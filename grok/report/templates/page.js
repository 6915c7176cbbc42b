"use strict";
// Search, filters and anchors. Everything is in the page already; this only hides and opens.
const claims = [...document.querySelectorAll("details.claim")];
const texts = new Map(); // of the claims, read when they are first searched
const search = document.querySelector(".search");
const chips = [...document.querySelectorAll(".chip")];
const picks = [...document.querySelectorAll(".pick")];

function textOf(claim) {
  if (!texts.has(claim)) texts.set(claim, claim.textContent.toLowerCase());
  return texts.get(claim);
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdicts = new Set(chips.filter((c) => c.getAttribute("aria-pressed") === "true").map((c) => c.dataset.verdict));
  let shown = 0;
  for (const claim of claims) {
    const fits =
      (!verdicts.size || verdicts.has(claim.dataset.verdict)) &&
      picks.every((pick) => !pick.value || claim.dataset[pick.dataset.by] === pick.value) &&
      words.every((word) => textOf(claim).includes(word));
    claim.hidden = !fits;
    shown += fits;
  }
  for (const group of document.querySelectorAll(".group")) group.hidden = !group.querySelector(".claim:not([hidden])");
  document.querySelector(".nothing").hidden = shown > 0;
  const whole = shown === claims.length;
  document.querySelector(".shown").textContent = whole ? `${shown} claims` : `${shown} of ${claims.length} claims`;
}

function reset() {
  search.value = "";
  for (const chip of chips) chip.setAttribute("aria-pressed", "false");
  for (const pick of picks) pick.value = "";
  filter();
}

function openAnchor() {
  let id = location.hash.slice(1);
  try { id = decodeURIComponent(id); } catch { /* not encoded */ }
  if (id === "all") return openAll(true);
  const claim = claims.find((c) => c.id === id);
  if (!claim) return;
  if (claim.hidden) reset();
  claim.open = true;
  claim.scrollIntoView();
}

function openAll(open) {
  for (const claim of claims) if (!claim.hidden) claim.open = open;
  all.setAttribute("aria-pressed", String(open));
}

const all = document.querySelector(".all");
all.addEventListener("click", () => openAll(all.getAttribute("aria-pressed") !== "true"));
search.addEventListener("input", filter);
for (const pick of picks) pick.addEventListener("change", filter);
for (const chip of chips)
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    filter();
  });
document.querySelector(".reset").addEventListener("click", reset);
document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());
for (const claim of claims)
  claim.addEventListener("toggle", () => { if (claim.open) drawAll(claim); });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && event.target === search) {
    search.value = "";
    filter();
  } else if ((event.key === "j" || event.key === "k") && !typing) {
    const visible = claims.filter((claim) => !claim.hidden).map((claim) => claim.querySelector("summary"));
    const at = visible.indexOf(event.target.closest("summary"));
    const next = event.key === "j" ? at + 1 : Math.max(at, 1) - 1;
    visible[Math.min(next, visible.length - 1)]?.focus();
  }
});
addEventListener("hashchange", openAnchor);
filter(); // a reload may have kept what was typed
