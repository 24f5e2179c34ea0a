// Clicks, keys, theme and print.
const THEMES = [["", "system"], ["light", "light"], ["dark", "dark"]];
let theme = 0;
const nextTheme = () => {
  theme = (theme + 1) % THEMES.length;
  root.style.colorScheme = THEMES[theme][0];
  document.querySelector("[data-do=theme]").textContent = `Theme: ${THEMES[theme][1]}`;
  repaint();
};

const deeds = {
  theme: nextTheme,
  help: () => byId("help-dialog").showModal(),
  "open-all": () => list.querySelectorAll("details.query").forEach((query) => { query.open = true; }),
  "close-all": () => list.querySelectorAll("details.query").forEach((query) => { query.open = false; }),
};

document.addEventListener("click", ({ target }) => {
  const link = target.closest("[data-query-link]");
  if (link) {
    byId("row-dialog").close();
    openQuery(Number(link.dataset.queryLink));
    return;
  }
  const button = target.closest("button"), row = target.closest("[data-position]");
  if (button?.dataset.do) deeds[button.dataset.do]();
  else if (button?.dataset.sort) {
    const at = Number(button.dataset.sort);
    sorted = { at, falling: sorted.at === at && !sorted.falling };
    layRows();
  } else if (button?.classList.contains("more")) {
    const open = button.parentElement.classList.toggle("open");
    button.setAttribute("aria-expanded", String(open));
    [button.textContent, button.dataset.less] = [button.dataset.less, button.textContent];
  } else if (button?.dataset.row) {
    const position = rows.findIndex((each) => each.index === button.dataset.row);
    if (position >= 0) showRow(position);
  } else if (row) showRow(Number(row.dataset.position));
});

const step = (by) => {
  const heads = [...list.querySelectorAll("details.query > summary")];
  const at = heads.findIndex((head) => head.parentElement.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : heads.length - 1) : Math.max(0, Math.min(heads.length - 1, at + by));
  heads[next]?.focus();
  heads[next]?.scrollIntoView({ block: "nearest" });
};
const keys = {
  "/": () => (byId("query-search") ?? byId("row-search")).focus(),
  "?": deeds.help, t: nextTheme, j: () => step(1), k: () => step(-1),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input, select");
  if (event.key === "Escape" && event.target.type === "search") {
    event.target.value = "";
    event.target.dispatchEvent(new Event("input"));
    event.target.blur();
  }
  const free = !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !document.querySelector("dialog[open]");
  if (free && keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});
document.addEventListener("submit", (event) => event.target.method !== "dialog" && event.preventDefault());

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
addEventListener("beforeprint", () => { root.dataset.printing = ""; layWindow(Math.min(order.length, 100)); repaint(); });
addEventListener("afterprint", () => { delete root.dataset.printing; layWindow(); repaint(); });
root.dataset.ready = "";
