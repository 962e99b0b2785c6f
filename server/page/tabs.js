// On a phone, chat and charts are two tabs; on a wide screen both are shown and the tabs are not.

/** Binds tabs, each of which controls the section of its `aria-controls`. */
export function bind(list) {
  const tabs = [...list.children];
  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).classList.toggle("unchosen", tab !== chosen);
    }
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", ({ key }) => {
      if (key !== "ArrowLeft" && key !== "ArrowRight") return;
      const next = tabs[(index + (key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
      choose(next);
      next.focus();
    });
  });
  choose(tabs[0]);
}
