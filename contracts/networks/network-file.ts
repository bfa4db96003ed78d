import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { getAddress, isAddress } from 'ethers'
import { z } from 'zod'

const contractAddress = z
  .string()
  .refine(
    (text) => isAddress(text) && getAddress(text) === text,
    'must be an address with its EIP-55 checksum',
  )

const blocks = (least: number) =>
  z.number('must be a number of blocks').int('must be a whole number').min(least, `must be at least ${least}`)

const positive = (digits: number) =>
  z
    .string('must be a decimal string')
    .regex(
      new RegExp(`^[1-9][0-9]{0,${digits - 1}}$`),
      'must be a whole number above zero as a decimal string',
    )

const networkFile = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be 1 to 63 of a-z, 0-9 and -, and not begin with -'),
  chainId: z.number('must be a number').int('must be a whole number').min(1, 'must be at least 1'),
  firstBlock: blocks(0),
  finalityBlocks: blocks(0),
  epochBlocks: blocks(1),
  bytesPerToken: positive(39),
  minimumStakeWei: positive(78),
  rulesVersions: z
    .array(
      z.strictObject({
        fromBlock: blocks(0),
        version: z.number('must be a number').int('must be a whole number').min(1, 'must be at least 1'),
      }),
    )
    .max(100)
    .optional(),
  contracts: z.strictObject({
    catalog: contractAddress,
    operatorRegistry: contractAddress,
    stakeVault: contractAddress,
    token: contractAddress,
  }),
  payments: z
    .strictObject({
      streamEscrow: contractAddress,
      trackRegistry: contractAddress,
      trackPurchases: contractAddress.optional(),
      token: contractAddress,
    })
    .optional(),
})

/**
 * One network: where its contracts are on which chain, and the numbers that everyone on it must agree on.
 * `firstBlock` is where its logs begin. Blocks become final after `finalityBlocks` more; an epoch has `epochBlocks`.
 * `bytesPerToken` (decimal string) is the weight in bytes that one whole staked token can back in placement.
 * `minimumStakeWei` (decimal string) is what OperatorRegistry was deployed with: less does not make an operator active.
 * `rulesVersions` says from which block on which version of the catalogue's rules is in force: version 1 before the first
 * entry; left out, the newest from the first block on.
 * `payments` says where listeners pay, and with what; left out, all music of the network is free.
 * `payments.trackPurchases` says where whole tracks are bought; left out, they are not.
 */
export type NetworkFile = Readonly<Omit<z.infer<typeof networkFile>, 'contracts' | 'payments'>> & {
  readonly contracts: Readonly<z.infer<typeof networkFile>['contracts']>
  readonly payments?: Readonly<NonNullable<z.infer<typeof networkFile>['payments']>> | undefined
}

/** A network file is missing, unreadable or wrong; the message names the file and every mistake in it. */
export class NetworkFileError extends Error {
  override readonly name = 'NetworkFileError'
}

/**
 * Checks a value that should be a network file.
 * @param source What to call it in the message of the error, such as its path.
 * @throws NetworkFileError with every mistake
 */
export function parseNetworkFile(value: unknown, source: string): NetworkFile {
  const result = networkFile.safeParse(value)
  if (result.success) return result.data
  const mistakes = result.error.issues.map((issue) => `  ${issue.path.join('.') || 'file'}: ${issue.message}`)
  throw new NetworkFileError(`${source} is not a network file:\n${mistakes.join('\n')}`)
}

/** Reads and checks the file at a path. @throws NetworkFileError */
export async function readNetworkFile(path: string): Promise<NetworkFile> {
  return parseNetworkFile(parseJson(await readText(path), path), path)
}

/**
 * Writes the file whole or not at all: a reader, or a crash, never sees half of it. Makes its folder if need be.
 * @throws NetworkFileError when the value is not a network file
 */
export async function writeNetworkFile(path: string, file: NetworkFile): Promise<void> {
  const text = `${JSON.stringify(parseNetworkFile(file, path), null, 2)}\n`
  const folder = dirname(path)
  await mkdir(folder, { recursive: true })
  const temporary = join(folder, `.network-${randomUUID()}.tmp`)
  try {
    const handle = await open(temporary, 'wx')
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    throw new NetworkFileError(
      missing
        ? `there is no network file at ${path}; deployment writes it, and NETWORK_FILE says where it is`
        : `the network file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new NetworkFileError(`the network file ${path} is not JSON`, { cause })
  }
}
