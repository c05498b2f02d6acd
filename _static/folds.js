// Whoever follows a ✓ wants to see the cell that it means: its fold opens.
function openFold() {
  if (location.hash.startsWith("#cell-")) {
    document.getElementById(location.hash.slice(1))?.querySelector("details")?.setAttribute("open", "");
  }
}
addEventListener("hashchange", openFold);
addEventListener("DOMContentLoaded", openFold);

// On paper nothing is folded, and nobody can unfold it.
const closed = [];
addEventListener("beforeprint", () => {
  closed.push(...document.querySelectorAll("article details:not([open])"));
  closed.forEach((fold) => fold.setAttribute("open", ""));
});
addEventListener("afterprint", () => closed.splice(0).forEach((fold) => fold.removeAttribute("open")));
