export type Item =
  | { kind: "chat"; chat: number; title: string; last_message: number; last_text: string; last_time_ms: number; unread: number }
  | {
      kind: "message"; chat: number; id: number; author: string; time_ms: number; text: string;
      state: "accepted" | "sent" | "delivered" | "read" | "failed" | "received";
      reply_to?: number; media?: { content: string; type: string; name: string; size: number }; companion?: string; command?: string;
      edited?: true; reactions?: { author: string; reaction: string }[];
    }
  | { kind: "deleted"; chat: number; message?: number }
  | {
      kind: "companion"; companion: string; serial: number; label: string; linked_ms: number; seen_ms: number;
      status: "pending" | "active" | "suspended";
    };

export type Result =
  | { kind: "accepted"; message: number } | { kind: "history"; items: Uint8Array[]; more: boolean; rev: number }
  | { kind: "failed"; code: string } | { kind: "done" };

export type Now = { battery: number; charging: boolean } | { typing: number } | { present: number[] };
