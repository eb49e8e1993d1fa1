// What modules.cjs does, where Node.js runs hooks in a thread of their own.

let beside = [];

export function initialize(importers) {
  beside = importers;
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    const isPackage = !/^([./]|[a-z]+:)/.test(specifier);
    if (error?.code !== "ERR_MODULE_NOT_FOUND" || !isPackage) throw error;
    for (const parentURL of beside) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch {
        // The next folder may have it.
      }
    }
    throw error;
  }
}
