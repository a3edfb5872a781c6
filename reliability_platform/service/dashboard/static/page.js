// Moments in the viewer's zone with UTC beside, the menu's current entry in sight, and a page that is read anew each minute.
"use strict";

for (const one of document.querySelectorAll("time[datetime]")) {
  const at = new Date(one.dateTime);
  if (Number.isNaN(at.getTime()) || at.getTimezoneOffset() === 0) continue;
  const two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const utc = document.createElement("small");
  const written = one.textContent; // 2026-01-05 10:00 UTC
  utc.textContent = written.startsWith(day) ? written.slice(day.length + 1) : written;
  one.textContent = `${day} ${two(at.getHours())}:${two(at.getMinutes())} `;
  one.append(utc);
}

const current = document.querySelector("nav [aria-current]");
if (current !== null) {
  const menu = current.closest("nav"); // scrollIntoView would take the keyboard with it
  menu.scrollLeft += current.getBoundingClientRect().left - (menu.clientWidth - current.offsetWidth) / 2;
}

if (document.querySelector("[data-poll]") !== null) setTimeout(() => location.reload(), 2000);

const button = document.getElementById("refresh");
if (button !== null) {
  const key = "reliability-refresh";
  const show = () => {
    const on = localStorage.getItem(key) !== "off";
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "Refresh: each minute" : "Refresh: off";
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    localStorage.setItem(key, localStorage.getItem(key) === "off" ? "on" : "off");
    show();
  });
  show();
  setInterval(() => {
    const busy = document.hidden || document.querySelector("details[open], form :focus, .wide:focus");
    if (localStorage.getItem(key) !== "off" && !busy) location.reload();
  }, 60000);
}
