import { useEffect, useState, useSyncExternalStore } from "react";
import { Companion, type Options, type Source } from "@handfast/companion";

/** A companion that lives as long as the component: started when it is mounted, closed when it goes. */
export function useCompanion(options: Options): Companion | null {
  const [companion, setCompanion] = useState<Companion | null>(null);
  // A component is mounted twice by StrictMode. A companion that was closed stays closed, so each mount makes one of its own; the second
  // waits until the first has released the lock.
  useEffect(() => {
    const made = new Companion(options);
    setCompanion(made);
    made.start().catch((error) => console.error(error));
    return () => { void made.close(); };
  }, [options]);
  return companion;
}

/** The value of a source, for as long as the component shows it. */
export function useSource<T>(source: Source<T>): T {
  return useSyncExternalStore(source.subscribe, source.getSnapshot);
}
