// Finds the function's handler: `folder/module.object.function`, CommonJS or ES module.
// https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html

"use strict";

const { existsSync, readFileSync, statSync } = require("node:fs");
const { createRequire } = require("node:module");
const { basename, dirname, resolve } = require("node:path");
const { pathToFileURL } = require("node:url");

const {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UserCodeSyntaxError,
} = require("./errors.cjs");
const { hasCallbacks, whyRefused } = require("./model.cjs");
const { extendImports } = require("./modules.cjs");
const { streams } = require("./streaming.cjs");

// Who requires a function's file, as what is missing is told.
const REQUIRER = "/var/runtime/index.mjs";
const PARTS = /^([^.]*)\.(.*)$/;

// The handler, and the microseconds spent on finding its file.
async function load(root, name) {
  if (name.includes("..")) {
    throw new MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const parts = PARTS.exec(basename(name));
  if (parts === null) throw new MalformedHandlerName("Bad handler");
  const [, module, path] = parts;
  const folder = dirname(name);
  const started = performance.now();
  const file = find(resolve(root, folder, module));
  const codeMicros = Math.round((performance.now() - started) * 1000);
  const exported = await open(root, folder, module, file);
  const within = (object) => path.split(".").reduce((object, key) => object?.[key], object);
  let handler = within(exported);
  if (!handler && !hasCallbacks()) handler = within(exported?.default);
  if (handler === undefined || handler === null) {
    throw new HandlerNotFound(`${name} is undefined or not exported`);
  }
  if (typeof handler !== "function") throw new HandlerNotFound(`${name} is not a function`);
  // It would wait for its callback for ever.
  if (!hasCallbacks() && handler.length >= 3 && !streams(handler)) {
    throw new CallbackHandlerDeprecated(whyRefused());
  }
  return { handler, codeMicros };
}

function find(path) {
  return ["", ".js", ".mjs", ".cjs"].map((end) => path + end).find(isFile);
}

function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function open(root, folder, module, file) {
  try {
    if (file === undefined) {
      return createRequire(REQUIRER)(resolvePackage(root, folder, module));
    }
    if (isModule(root, file)) {
      extendImports();
      return await import(pathToFileURL(file).href);
    }
    return await read(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserCodeSyntaxError(error);
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw new ImportModuleError(error);
    }
    throw error;
  }
}

// A file that does not say which kind of module it is. AWS's client since 4.0 imports it, so that one
// that Node.js finds to be an ES module may await at its top level.
function read(file) {
  try {
    return createRequire(REQUIRER)(file);
  } catch (error) {
    if (hasCallbacks() || error?.code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    extendImports();
    return import(pathToFileURL(file).href);
  }
}

// As require finds it: a folder with an index, or a package.
function resolvePackage(root, folder, module) {
  const own = resolve(root, folder);
  try {
    return createRequire(resolve(own, "index.js")).resolve(`./${module}`);
  } catch {
    return createRequire(REQUIRER).resolve(module, { paths: [root, own] });
  }
}

// Whether a file is an ES module: by its ending, or by the nearest package.json.
function isModule(root, file) {
  if (file.endsWith(".mjs")) return true;
  if (!file.endsWith(".js")) return false;
  for (let folder = dirname(file); folder.startsWith(root); folder = dirname(folder)) {
    const manifest = resolve(folder, "package.json");
    if (existsSync(manifest)) {
      try {
        return JSON.parse(readFileSync(manifest, "utf8")).type === "module";
      } catch {
        return false;
      }
    }
  }
  return false;
}

module.exports = { load };
