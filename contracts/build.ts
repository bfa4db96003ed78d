import './hardhat-resolution.ts'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

/**
 * Compiles the contracts afresh and writes `generated/`, the ABIs and bytecodes that the rest of the project imports.
 * `--check` writes nothing, and exits with 1 if what is committed differs from what the compiler gives.
 */

const contracts = [
  'Catalog',
  'HexToken',
  'LocalDollar',
  'OperatorRegistry',
  'StakeVault',
  'StreamEscrow',
  'TrackPurchases',
  'TrackRegistry',
] as const

const generated = join(import.meta.dirname, 'generated')

/** What the compiler says of one contract. */
interface Compiled {
  name: (typeof contracts)[number]
  compiler: string
  abi: readonly unknown[]
  /** Creation code, hex with 0x. */
  bytecode: string
}

async function compile(): Promise<Compiled[]> {
  // Imported late: a static import would be linked before the resolution above is in place.
  const { createHardhatRuntimeEnvironment, importUserConfig } = await import('hardhat/hre')
  const configPath = join(import.meta.dirname, 'hardhat.config.ts')
  const hre = await createHardhatRuntimeEnvironment(
    await importUserConfig(configPath),
    { config: configPath },
    import.meta.dirname,
  )
  await hre.tasks.getTask('build').run({ force: true, quiet: true, noTests: true })
  return Promise.all(
    contracts.map(async (name) => {
      const artifact = await hre.artifacts.readArtifact(name)
      if (Object.keys(artifact.linkReferences).length > 0) throw new Error(`${name} needs a linked library`)
      const compiler = hre.config.solidity.profiles.default?.compilers[0]?.version ?? 'unknown'
      return { name, compiler, abi: artifact.abi, bytecode: artifact.bytecode }
    }),
  )
}

/** `OperatorRegistry` becomes `operatorRegistry`. */
function camelCase(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}

/** `OperatorRegistry` becomes `operator-registry`. */
function kebabCase(name: string): string {
  return camelCase(name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function renderContract({ name, compiler, abi, bytecode }: Compiled): string {
  const constant = camelCase(name)
  return [
    `// Written by contracts/build.ts from src/${name}.sol with solc ${compiler}; not to be edited.`,
    '',
    `export const ${constant}Abi = [`,
    ...abi.map((fragment) => `  ${JSON.stringify(fragment)},`),
    '] as const',
    '',
    `export const ${constant}Bytecode =`,
    `  '${bytecode}' as const`,
    '',
  ].join('\n')
}

function renderIndex(compiled: readonly Compiled[]): string {
  const lines = compiled.map(({ name }) => {
    const constant = camelCase(name)
    return `export { ${constant}Abi, ${constant}Bytecode } from './${kebabCase(name)}.ts'`
  })
  return ['// Written by contracts/build.ts; not to be edited.', '', ...lines, ''].join('\n')
}

function render(compiled: readonly Compiled[]): Map<string, string> {
  const files = compiled.map((contract): [string, string] => [
    `${kebabCase(contract.name)}.ts`,
    renderContract(contract),
  ])
  return new Map([...files, ['index.ts', renderIndex(compiled)]])
}

async function readGenerated(): Promise<Map<string, string>> {
  const names = await readdir(generated).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const files = names.map(async (name): Promise<[string, string]> => {
    return [name, await readFile(join(generated, name), 'utf8')]
  })
  return new Map(await Promise.all(files))
}

/** Names of files that are missing, superfluous or different, sorted. */
function differences(fresh: ReadonlyMap<string, string>, committed: ReadonlyMap<string, string>): string[] {
  const names = new Set([...fresh.keys(), ...committed.keys()])
  return [...names].filter((name) => fresh.get(name) !== committed.get(name)).sort()
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const fresh = render(await compile())
const stale = differences(fresh, await readGenerated())

if (stale.length === 0) {
  process.stdout.write('contracts/generated is what the compiler gives\n')
} else if (values.check) {
  process.stderr.write(
    `contracts/generated differs from a fresh compile: ${stale.join(', ')}\nRun: node contracts/build.ts\n`,
  )
  process.exitCode = 1
} else {
  await mkdir(generated, { recursive: true })
  for (const name of stale) {
    const text = fresh.get(name)
    if (text === undefined) await rm(join(generated, name))
    else await writeFile(join(generated, name), text)
  }
  process.stdout.write(`contracts/generated: wrote ${stale.join(', ')}\n`)
}
