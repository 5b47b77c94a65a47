// Builds ../static/smart_storages/uploads/smart-upload.{js,d.ts}; `node build.mjs DIRECTORY` builds
// them elsewhere, for the test that compares.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = process.argv[2] ?? join(here, "../static/smart_storages/uploads");

// tests/uploads/test_script.py computes the same, and needs no Node for it.
const hash = createHash("sha256");
const sources = readdirSync(join(here, "src"))
  .sort()
  .map((name) => `src/${name}`);
for (const name of [...sources, "build.mjs", "package-lock.json", "tsconfig.json"]) {
  hash.update(readFileSync(join(here, name)));
}
const banner = `/* smart_storages.uploads; "make js" built it from sources ${hash.digest("hex").slice(0, 16)} */`;

execFileSync(join(here, "node_modules/.bin/tsc"), ["--project", here], { stdio: "inherit" });
await build({
  absWorkingDir: here,
  entryPoints: ["src/smart-upload.ts"],
  outfile: join(target, "smart-upload.js"),
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  // Names of private members begin with an underscore.
  mangleProps: /^_/,
  charset: "utf8",
  banner: { js: banner },
});

const declarations = mkdtempSync(join(tmpdir(), "smart-upload-"));
const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--stripInternal"];
execFileSync(
  join(here, "node_modules/.bin/tsc"),
  ["--project", here, ...options, "--outDir", declarations],
  { stdio: "inherit" },
);
const parts = ["types", "errors", "start", "attaching"].map((name) =>
  readFileSync(join(declarations, `${name}.d.ts`), "utf8").replace(
    /^(import .*|export \{\};)\n/gm,
    "",
  ),
);
rmSync(declarations, { recursive: true });
writeFileSync(join(target, "smart-upload.d.ts"), [banner, "\n", ...parts].join(""));
