import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Loads a library that travels as bytes in the bundle, from a file in `runDir`. Throws where this machine has none. */
export function loadNative(name: string, bytes: Uint8Array, runDir: string): unknown {
  if (bytes.length === 0) throw new Error(`${name} has no build for ${process.platform}-${process.arch}`)
  const path = join(runDir, `${name}.node`)
  if (!existsSync(path)) writeFileSync(path, bytes, { mode: 0o500 })
  const module = { exports: {} }
  process.dlopen(module, path)
  return module.exports
}
