// Logs in by password, or by the secret behind the # of a link, which no server or log sees in an address.

const told = document.getElementById("told");

async function logIn(body) {
  told.textContent = "…";
  try {
    const answer = await fetch("/login", {method: "POST", body: JSON.stringify(body)});
    if (answer.ok) {
      location.replace("/");
      return;
    }
    told.textContent = (await answer.json()).title;
  } catch {
    told.textContent = "The page does not answer.";
  }
}

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  logIn({user: form.get("user"), password: form.get("password")});
});

function useLink() {
  const once = location.hash.slice(1);
  if (!once) return;
  history.replaceState(null, "", "/login");
  logIn({once});
}

addEventListener("hashchange", useLink);
useLink();
