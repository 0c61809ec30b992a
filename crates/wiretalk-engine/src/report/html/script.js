
(() => {
  "use strict";
  const find = (id) => document.getElementById(id);
  const root = document.documentElement;
  const tools = find("tools"), search = find("find"), shown = find("shown"), theme = find("theme"), none = find("none");
  const tests = [...document.querySelectorAll(".test")];
  const files = [...document.querySelectorAll(".file")];
  const failures = document.querySelector(".failures");
  // What is searched of a test, in lower case; read from the page when it is first asked for.
  const SEARCHED = "h3, .tag, .who, .payload, .talk code, .pair code, .diff code, .left code";
  const texts = new Map();
  const textOf = (test) => {
    if (!texts.has(test)) {
      texts.set(test, [...test.querySelectorAll(SEARCHED)].map((part) => part.textContent).join("\n").toLowerCase());
    }
    return texts.get(test);
  };

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = tools.querySelector("[name=status]:checked").value;
    const all = !words.length && !status;
    let count = 0;
    for (const test of tests) {
      const fits = (!status || test.dataset.status === status) && words.every((word) => textOf(test).includes(word));
      test.hidden = !fits;
      if (fits) count += 1;
    }
    for (const file of files) file.hidden = !all && !file.querySelector(".test:not([hidden])");
    if (failures) failures.hidden = !all;
    none.hidden = all || count > 0;
    shown.textContent = all ? "" : `${count} of ${tests.length} shown`;
  };
  let waiting = 0;
  search.addEventListener("input", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(filter);
  });
  tools.addEventListener("change", filter);

  // Moves the focus to the next test that is shown, or to the one before.
  const move = (step) => {
    const seen = tests.filter((test) => !test.hidden);
    if (!seen.length) return;
    const within = document.activeElement.closest(".test");
    const at = seen.indexOf(within);
    const next = at < 0 ? (step > 0 ? 0 : seen.length - 1) : Math.min(Math.max(at + step, 0), seen.length - 1);
    const line = seen[next].querySelector("summary");
    line.focus({ preventScroll: true });
    line.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (target === search) {
      if (key === "Escape") {
        search.value = "";
        filter();
        search.blur();
      } else if (key === "ArrowDown" || key === "Enter") {
        event.preventDefault();
        move(1);
      }
      return;
    }
    // In a group of buttons the arrows are the group's own.
    const arrows = !target.matches("input, code");
    if (key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (key === "j" || (arrows && key === "ArrowDown" && target.matches(".test > summary"))) {
      event.preventDefault();
      move(1);
    } else if (key === "k" || (arrows && key === "ArrowUp" && target.matches(".test > summary"))) {
      event.preventDefault();
      move(-1);
    }
  });

  const THEMES = ["auto", "light", "dark"];
  const paint = (name) => {
    if (name === "auto") delete root.dataset.theme;
    else root.dataset.theme = name;
    theme.textContent = `Theme: ${name}`;
  };
  let current = "auto";
  // A page from a file may not be allowed to keep anything.
  try {
    current = THEMES.find((name) => name === localStorage.getItem("wiretalk-theme")) || "auto";
  } catch {}
  paint(current);
  theme.addEventListener("click", () => {
    current = THEMES[(THEMES.indexOf(current) + 1) % THEMES.length];
    paint(current);
    try {
      localStorage.setItem("wiretalk-theme", current);
    } catch {}
  });

  // A link to a test or a message opens what it is in.
  const reveal = () => {
    const target = location.hash.length > 1 && find(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.matches("details")) part.open = true;
    target.scrollIntoView({ block: "nearest" });
  };
  addEventListener("hashchange", reveal);

  tools.hidden = false;
  filter();
  reveal();
})();
