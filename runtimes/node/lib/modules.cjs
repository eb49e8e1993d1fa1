// ES modules import packages from the folders of NODE_PATH too, as they do on Lambda since Node.js 18;
// Node.js itself looks there for CommonJS alone.

"use strict";

const { readdirSync } = require("node:fs");
const module_ = require("node:module");
const { basename, dirname, join } = require("node:path");
const { pathToFileURL } = require("node:url");

const HOOKS = "./modules-hooks.mjs";

// The folders that hold something, as importers beside them would be called.
function importers() {
  const folders = (process.env.NODE_PATH ?? "").split(":");
  const filled = folders.filter((folder) => {
    try {
      return basename(folder) === "node_modules" && readdirSync(folder).length > 0;
    } catch {
      return false;
    }
  });
  return filled.map((folder) => pathToFileURL(join(dirname(folder), "importer.mjs")).href);
}

// Without such folders nothing changes, and nothing is spent.
function extendImports() {
  const beside = importers();
  if (beside.length === 0) return;
  if (typeof module_.registerHooks === "function") {
    module_.registerHooks({
      resolve(specifier, context, next) {
        try {
          return next(specifier, context);
        } catch (error) {
          if (!isMissingPackage(specifier, error)) throw error;
          for (const parentURL of beside) {
            try {
              return next(specifier, { ...context, parentURL });
            } catch {
              // The next folder may have it.
            }
          }
          throw error;
        }
      },
    });
  } else if (typeof module_.register === "function") {
    module_.register(HOOKS, { parentURL: pathToFileURL(__filename).href, data: beside });
  }
}

function isMissingPackage(specifier, error) {
  return error?.code === "ERR_MODULE_NOT_FOUND" && !/^([./]|[a-z]+:)/.test(specifier);
}

module.exports = { extendImports };
