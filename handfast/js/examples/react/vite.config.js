import { defineConfig } from "vite";

export default defineConfig({
  // The development server must not move the scripts away from the module that lies beside them.
  optimizeDeps: { exclude: ["@handfast/companion"] },
  build: { target: "es2022" },
});
