// The words of the reference application, a messenger (spec, messages).

export {
  changesCollection, chatsCollection, companionsCollection, decodeItem, decodeNow, decodeResult, deleteMessage, editText, history, markRead,
  messagesCollection, nowFault, react, sendMedia, sendText, typing,
} from "./handfast.js";
export type { Item, Now, Result } from "./handfast.js";
