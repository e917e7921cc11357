/* What a page is like for somebody who reads it by keyboard, by ear, or with weak eyes. */
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;

  /** Any colour as the browser computes it, as red, green, blue (0–255) and how opaque it is. */
  function read(color) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }

  const over = (top, below) =>
    [0, 1, 2].map((n) => top[n] * top[3] + below[n] * (1 - top[3])).concat(1);

  function light([red, green, blue]) {
    const part = (value) =>
      value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  }

  function contrast(node) {
    let opacity = 1;
    const grounds = [];
    for (let each = node; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      opacity *= Number(style.opacity);
      grounds.unshift(read(style.backgroundColor));
    }
    const ground = grounds.reduce((below, top) => over(top, below), [255, 255, 255, 1]);
    const [red, green, blue, alpha] = read(getComputedStyle(node).color);
    const text = over([red, green, blue, alpha * opacity], ground);
    const [one, other] = [light(text), light(ground)].sort((a, b) => b - a);
    return (one + 0.05) / (other + 0.05);
  }

  const isShown = (node) => node.checkVisibility() && !node.closest("[hidden], .unseen, .skip");

  /** Texts that differ too little from what is behind them. */
  function faint() {
    const found = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const node = walk.currentNode.parentElement;
      if (!walk.currentNode.data.trim() || node.matches("script, style, :disabled")) continue;
      if (isShown(node) && contrast(node) < 4.5) {
        found.push(`${walk.currentNode.data.trim().slice(0, 40)}: ${contrast(node).toFixed(2)}`);
      }
    }
    return found;
  }

  const nameOf = (node) => {
    const by = node.getAttribute("aria-labelledby");
    const said = by ? document.getElementById(by)?.textContent : node.getAttribute("aria-label");
    return (said || node.labels?.[0]?.textContent || node.textContent || "").trim();
  };

  /** What a reader of the screen would not be told. */
  function unsaid() {
    const found = [];
    const doubt = (selector, why) => {
      for (const node of document.querySelectorAll(selector)) {
        if (isShown(node)) found.push(`${why}: ${node.outerHTML.slice(0, 80)}`);
      }
    };
    for (const node of document.querySelectorAll("a, button, input, select, summary, [tabindex]")) {
      if (isShown(node) && !nameOf(node)) found.push(`no name: ${node.outerHTML.slice(0, 80)}`);
    }
    const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    if (new Set(ids).size < ids.length) found.push(`an id twice: ${ids}`);
    const heads = [...document.querySelectorAll("h1")].filter(isShown);
    if (heads.length !== 1) found.push(`${heads.length} first headings`);
    if (!document.documentElement.lang || !document.title) found.push("no language, or no title");
    doubt("th:not([scope])", "of a column or a row?");
    doubt("a a, a button, button a, summary a, summary button", "one in another");
    doubt("[tabindex]:not([tabindex='0'], [tabindex='-1'])", "out of order");
    doubt("p[aria-label], span[aria-label], div[aria-label]:not([role])", "a name without a role");
    doubt("pre[aria-label]:not([role])", "a name without a role");
    doubt("img:not([alt])", "a picture without words");
    return found;
  }

  /** Whether it is seen that the focus is here. */
  function isSeen() {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  }

  return { faint, unsaid, isSeen };
})()
