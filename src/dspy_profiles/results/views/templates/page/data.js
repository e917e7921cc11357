/* What was recorded, and how it gets into the page: as text, never as markup. */
const page = JSON.parse(document.getElementById("data").textContent);

const byNumber = new Map(page.rows.map((row) => [row.number, row]));

/** An element with these properties and children; a text becomes a text node. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "className") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A short text of somebody else's: which way it runs is its own matter. */
const inline = (text, className) => element("bdi", { className }, text);

/** A number as people read it. */
const grouped = (number) => number.toLocaleString("en-US");

const counted = (count, one) => `${grouped(count)} ${count === 1 ? one : one + "s"}`;

const statusOf = (row) =>
  element("span", { className: row.wrong ? "status wrong" : "status" }, row.shown.status);

/** The words that are looked for, all of which have to be there. */
const wordsOf = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

/** Where something stood in all that time: a bar, or a mark for what takes none. */
function track(at, seconds, total, className) {
  const part = (value) => Math.min(100, (100 * value) / (total || 1));
  const bar = element("span", { className });
  bar.style.left = `${Math.min(part(at), 99.2)}%`;
  if (seconds !== undefined) bar.style.width = `${Math.max(0.8, part(seconds))}%`;
  return element("span", { className: "track", "aria-hidden": "true" }, bar);
}
