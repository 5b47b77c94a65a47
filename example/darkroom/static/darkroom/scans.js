// Asks once a second where the scans are. Without this script the page says to load it again.
const list = document.querySelector("[data-where]");
const summary = document.querySelector("[data-summary]");

function show(scan) {
  const item = list.querySelector(`[data-scan="${scan.id}"]`);
  if (!item) return;
  item.dataset.state = scan.state;
  for (const place of item.querySelectorAll("[data-show]")) {
    const text = scan[place.dataset.show] || (place.dataset.show === "took" ? "–" : "");
    if (place.textContent.replaceAll("\u200b", "") !== text) place.textContent = text;
  }
  item.querySelector(".chip").className = `chip chip-${scan.colour}`;
  item.querySelector(".error").hidden = !scan.error;
}

function count(scans) {
  const there = scans.filter((scan) => scan.state === "done").length;
  const text = `${there} of ${scans.length} in the bucket`;
  if (summary.textContent !== text) summary.textContent = text;
}

async function look() {
  try {
    const { scans } = await (await fetch(list.dataset.where)).json();
    scans.forEach(show);
    count(scans);
  } catch {
    summary.textContent = "The server does not answer; trying again";
  }
  setTimeout(look, 1000);
}

if (list) look();
