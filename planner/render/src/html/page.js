(() => {
  const form = document.querySelector(".search");
  if (!form) return;
  form.hidden = false;
  const sections = [...document.querySelectorAll("details")].map((node) => [node, node.textContent.toLowerCase()]);
  const input = document.getElementById("search");
  const found = document.getElementById("found");
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    let count = 0;
    for (const [node, text] of sections) {
      const shown = text.includes(wanted);
      node.hidden = !shown;
      if (shown && wanted) node.open = true;
      count += shown;
    }
    found.textContent = wanted ? `${count} of ${sections.length}` : "";
  });
})();
