import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { type Companion, type Options, type Status, drawCode, load } from "@handfast/companion";
import { chatsCollection, decodeItem, decodeResult, sendText } from "@handfast/companion/chat";
import { useCompanion, useSource } from "./useCompanion";

const OPTIONS: Options = {
  name: "handfast-example",
  relay: new URLSearchParams(location.search).get("relay") ?? "127.0.0.1:7443",
  label: "Example with React",
  grants: 3n, // To the reference phone: may read, may send.
};

function App() {
  const companion = useCompanion(OPTIONS);
  return companion ? <Page companion={companion} /> : null;
}

function Page({ companion }: { companion: Companion }) {
  const { link, connection, pairing, trouble } = useSource(companion.status);
  if (trouble?.type === "taken") return <button onClick={() => companion.takeOver()}>Use it here</button>;
  if (trouble?.type === "stopped") return <p role="alert">{trouble.error.message}</p>;
  if (pairing) return <Pairing companion={companion} pairing={pairing} />;
  if (!link) return <p>{trouble?.type === "relayLost" ? trouble.reason : "Starting"}</p>;
  return (
    <>
      <h1>{link.accountName}</h1>
      <p>Phone: <output id="connection">{connection ?? "not reached yet"}</output></p>
      <Chats companion={companion} />
      <button onClick={() => companion.logOut()}>Log out</button>
    </>
  );
}

function Pairing({ companion, pairing }: { companion: Companion; pairing: NonNullable<Status["pairing"]> }) {
  switch (pairing.step) {
    case "code": return <Code text={pairing.text} />;
    case "checkCode": return <p>Type at the phone: <output id="check-code">{pairing.digits}</output></p>;
    case "number": return (
      <form action={(form) => companion.enterNumber(String(form.get("number")))}>
        <label>The number that {pairing.accountName} shows <input name="number" inputMode="numeric" pattern="[0-9]{2}" required /></label>
        <button>Link</button>
      </form>
    );
    case "ended": return <button onClick={() => companion.newCode()}>Not linked ({pairing.code}). Try again</button>;
  }
}

function Code({ text }: { text: string }) {
  const dark = drawCode(text);
  const width = Math.sqrt(dark.length);
  const path = [...dark].map((is, at) => (is ? `M${at % width} ${Math.floor(at / width)}h1v1h-1z` : "")).join("");
  return <svg id="code" role="img" aria-label="Scan this with your phone" viewBox={`0 0 ${width} ${width}`} width="400" style={{ background: "white" }}><path d={path} /></svg>;
}

function Chats({ companion }: { companion: Companion }) {
  const { rows, state } = useSource(companion.watch(chatsCollection()));
  const [said, setSaid] = useState("");
  const send = async (chat: number) => {
    const { answer } = await companion.send(sendText(chat, "Hello from React"));
    const body = await answer;
    setSaid(body ? decodeResult(body).kind : "done");
  };
  return (
    <section aria-label="Chats" data-state={state}>
      <ul>
        {rows.map(({ key, body }) => {
          const item = decodeItem(body);
          return item.kind === "chat" && <li key={key}><b>{item.title}</b>: {item.last_text} <button onClick={() => send(item.chat)}>Say hello</button></li>;
        })}
      </ul>
      <p>Last answer: <output id="answer">{said}</output></p>
    </section>
  );
}

await load(); // For `chatsCollection` and `drawCode`, which are parts of the module.
createRoot(document.getElementById("app")!).render(<StrictMode><App /></StrictMode>);
