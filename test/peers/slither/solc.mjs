#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

// The compiler of npm in the clothes of the solc command, as far as Slither looks: `--version`, and `--combined-json` of one
// file, whose imports are found as Hardhat finds them.

// What compiles contracts belongs to their package.
const ofContracts = createRequire(new URL('../../../contracts/package.json', import.meta.url))
const solc = ofContracts('solc')
const arguments_ = process.argv.slice(2)

if (arguments_.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`)
} else {
  const target = arguments_.find((argument) => argument.endsWith('.sol'))
  if (target === undefined) throw new Error('which file is to be compiled?')
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources: { [target]: { content: readFileSync(target, 'utf8') } },
        settings: {
          evmVersion: 'cancun',
          optimizer: { enabled: true, runs: 10_000 },
          outputSelection: { '*': { '': ['ast'], '*': ['abi', 'evm', 'userdoc', 'devdoc'] } },
        },
      }),
      { import: readImport },
    ),
  )
  for (const { formattedMessage } of output.errors ?? []) process.stderr.write(formattedMessage)
  process.stdout.write(JSON.stringify(combined(output)))
}

function readImport(path) {
  try {
    const file = path.startsWith('@')
      ? ofContracts.resolve(path)
      : fileURLToPath(new URL(`../../../contracts/${path}`, import.meta.url))
    return { contents: readFileSync(file, 'utf8') }
  } catch (error) {
    return { error: String(error) }
  }
}

/** What `--combined-json` would have given. */
function combined({ contracts = {}, sources = {} }) {
  const named = Object.entries(contracts).flatMap(([file, inFile]) =>
    Object.entries(inFile).map(([name, { abi, evm, userdoc, devdoc }]) => [
      `${file}:${name}`,
      {
        ...{ abi, userdoc, devdoc, hashes: evm.methodIdentifiers },
        ...{ bin: evm.bytecode.object, srcmap: evm.bytecode.sourceMap },
        ...{ 'bin-runtime': evm.deployedBytecode.object, 'srcmap-runtime': evm.deployedBytecode.sourceMap },
      },
    ]),
  )
  const asts = Object.entries(sources).map(([file, { ast }]) => [file, { AST: ast }])
  return {
    contracts: Object.fromEntries(named),
    sources: Object.fromEntries(asts),
    sourceList: Object.entries(sources)
      .sort(([, a], [, b]) => a.id - b.id)
      .map(([file]) => file),
    version: solc.version(),
  }
}
