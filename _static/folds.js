// Whoever follows a ✓ wants to see the cell that it means: its fold opens.
function openFold() {
  if (location.hash.startsWith("#cell-")) {
    document.getElementById(location.hash.slice(1))?.querySelector("details")?.setAttribute("open", "");
  }
}
addEventListener("hashchange", openFold);
addEventListener("DOMContentLoaded", openFold);
