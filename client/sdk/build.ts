import { execFile } from 'node:child_process'
import { copyFile, glob, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const here = import.meta.dirname

/** Builds the package that `npm pack` and `npm publish` take: JavaScript with type declarations, and a package.json
 * of its own, since this workspace's one names TypeScript files.
 * @param outDir is emptied first
 * @throws an error with the compiler's output when the types are wrong */
export async function buildPackage(outDir: string): Promise<void> {
  await rm(outDir, { recursive: true, force: true })
  const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'))
  const project = join(here, 'tsconfig.build.json')
  try {
    await promisify(execFile)(process.execPath, [compiler, '--project', project, '--outDir', outDir])
  } catch (cause) {
    const output = cause instanceof Error && 'stdout' in cause ? cause.stdout : cause
    throw new Error(`the package cannot be built:\n${output}`, { cause })
  }
  await copyFile(join(here, '../../LICENSE'), join(outDir, 'LICENSE'))
  await writeFile(join(outDir, 'package.json'), `${JSON.stringify(await packageJson(), null, 2)}\n`)
}

async function packageJson(): Promise<object> {
  const { name, version, license, dependencies } = JSON.parse(
    await readFile(join(here, 'package.json'), 'utf8'),
  )
  const doors: string[] = []
  for await (const door of glob('*/index.ts', { cwd: here })) doors.push(dirname(door))
  return {
    name,
    version,
    description: 'Publish, find and play on the Hexachord music network, in browsers and in Node',
    license,
    type: 'module',
    // What a page does not use, such as keys, does not get into its bundle.
    sideEffects: false,
    exports: Object.fromEntries(
      doors
        .filter((door) => door !== 'fixtures')
        .sort()
        .map((door) => [`./${door}`, { types: `./${door}/index.d.ts`, default: `./${door}/index.js` }]),
    ),
    dependencies,
  }
}

if (import.meta.main) await buildPackage(join(here, 'dist'))
