// The words of the reference application, a messenger (spec, messages): bodies of commands, names of collections, items and results. An
// application with words of its own does not need this.

import * as module from "./handfast.js";
import { coded } from "./module.js";

export const changesCollection = coded(module.changesCollection);
export const chatsCollection = coded(module.chatsCollection);
export const companionsCollection = coded(module.companionsCollection);
export const decodeItem = coded(module.decodeItem);
export const decodeNow = coded(module.decodeNow);
export const decodeResult = coded(module.decodeResult);
export const deleteMessage = coded(module.deleteMessage);
export const editText = coded(module.editText);
export const history = coded(module.history);
export const markRead = coded(module.markRead);
export const messagesCollection = coded(module.messagesCollection);
export const nowFault = coded(module.nowFault);
export const react = coded(module.react);
export const sendMedia = coded(module.sendMedia);
export const sendText = coded(module.sendText);
export const typing = coded(module.typing);
