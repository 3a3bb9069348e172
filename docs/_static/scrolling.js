/* Code, tables and pictures that are wider than the page scroll in boxes of their own: the keyboard reaches those, too. */
"use strict";

const reachScrollingBoxes = () => {
  for (const box of document.querySelectorAll(".highlight pre, .table-wrapper, p:has(> img)")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};

window.addEventListener("load", reachScrollingBoxes);
window.addEventListener("resize", reachScrollingBoxes);
