// A link to an equation or a figure shows it beside the link, for those who point at it or come to it by keyboard.
// The link keeps its meaning; Escape closes what it shows, and the pointer may move onto it.
const LINKS = 'article a.reference:is([href*="#equation-"], [href*="#fig-"])';
const HERE = document.currentScript.src;
const card = document.createElement("div");
card.className = "preview";
card.id = "preview";
card.setAttribute("role", "tooltip");
card.hidden = true;
let shownFor = null;
let leaving = 0;

function closePreview() {
  shownFor?.removeAttribute("aria-describedby");
  shownFor = null;
  card.hidden = true;
}

// The LaTeX of every equation of the book: fetched once, by the first link to another page's equation.
let loading = null;
function everyEquation() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = HERE.replace(/previews\.js.*/, "equations.js");
    script.onload = () => resolve(window.equations);
    script.onerror = reject;
    document.head.append(script);
  });
  return loading;
}

function copyOf(original) {
  const copy = original.cloneNode(true);
  copy.removeAttribute("id");
  copy.querySelectorAll("[id]").forEach((element) => element.removeAttribute("id"));
  copy.querySelectorAll(".eqno, .headerlink").forEach((element) => element.remove());
  return copy;
}

async function fill(link) {
  const id = decodeURIComponent(link.hash.slice(1));
  const original = document.getElementById(id);
  if (original && link.pathname === location.pathname) {
    card.replaceChildren(copyOf(original));
    return true;
  }
  const latex = id.startsWith("equation-") ? (await everyEquation())[id] : undefined;
  if (latex === undefined) {
    return false;
  }
  const equation = document.createElement("div");
  equation.className = "math notranslate nohighlight";
  equation.textContent = `\\[${latex}\\]`;
  card.replaceChildren(equation);
  await window.MathJax?.typesetPromise?.([equation]);
  return true;
}

function place(link) {
  card.hidden = false;
  const at = link.getClientRects()[0];
  const width = document.documentElement.clientWidth;
  const { offsetWidth, offsetHeight } = card;
  const left = Math.max(8, Math.min(at.left, width - offsetWidth - 8));
  const below = at.bottom + offsetHeight + 8 < innerHeight || at.top < offsetHeight + 8;
  card.style.left = `${left}px`;
  card.style.top = below ? `${at.bottom + 4}px` : `${at.top - offsetHeight - 4}px`;
}

// Focus may scroll the page: what is shown goes with its link, as long as that is in sight.
function follow() {
  if (shownFor && !card.hidden) {
    const at = shownFor.getClientRects()[0];
    if (at && at.bottom > 0 && at.top < innerHeight) {
      place(shownFor);
    } else {
      closePreview();
    }
  }
}

async function openPreview(link) {
  clearTimeout(leaving);
  if (shownFor === link) {
    return;
  }
  closePreview();
  shownFor = link;
  const filled = await fill(link).catch(() => false);
  if (filled && shownFor === link) {
    place(link);
    link.setAttribute("aria-describedby", card.id);
  }
}

function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(closePreview, 200);
}

function linkOf(event) {
  return event.target.closest?.(LINKS);
}

addEventListener("DOMContentLoaded", () => document.body.append(card));
addEventListener("mouseover", (event) => linkOf(event) && openPreview(linkOf(event)));
addEventListener("mouseout", (event) => linkOf(event) && leave());
addEventListener("focusin", (event) => (linkOf(event) ? openPreview(linkOf(event)) : closePreview()));
addEventListener("keydown", (event) => event.key === "Escape" && closePreview());
addEventListener("scroll", follow, { passive: true });
card.addEventListener("mouseenter", () => clearTimeout(leaving));
card.addEventListener("mouseleave", leave);
