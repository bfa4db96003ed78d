import { getAddress, isAddress } from 'ethers'
import { z } from 'zod'
import { checkKeyFile } from './key-file.ts'

/** A whole number within bounds, both included. */
export function wholeNumber(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`
  return z
    .string()
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .refine((value) => value >= least && value <= most, message)
}

/** A TCP port; 0 lets the system choose. */
export const portNumber = wholeNumber(0, 65_535)

/** `true` or `false`. */
export const flag = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true')

/** An http or https URL, as written. */
export const httpUrl = z
  .string()
  .refine((text) => webUrl(text) !== null, 'must be an http:// or https:// URL')

/** An origin such as `https://node.example:4600`: scheme, host and port, no path. Normalised as browsers do. */
export const origin = z
  .string()
  .refine(
    (text) => isOrigin(text),
    'must be an origin such as https://node.example (no path, query or password)',
  )
  .transform((text) => new URL(text).origin)

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

/** A size such as `500MB`, `20 GiB` or `1048576`, in bytes. */
export const byteSize = z.string().transform((text, context) => {
  const [, digits = '', unit = ''] = /^(\d{1,16})\s*([a-z]{0,3})$/i.exec(text) ?? []
  const bytes = Number(digits) * (unitBytes[unit.toLowerCase()] ?? Number.NaN)
  if (digits === '' || !Number.isSafeInteger(bytes)) {
    context.addIssue({ code: 'custom', message: 'must be a size in bytes such as 500MB, 20GiB or 1048576' })
    return z.NEVER
  }
  return bytes
})

/** Items between commas, each checked by `item`; spaces round them do not matter. */
export function commaList<Item extends z.ZodType<unknown, string>>(item: Item) {
  return z
    .string()
    .transform((text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    )
    .pipe(z.array(item))
}

/** An account or contract address; answered in EIP-55 spelling, whose check sum is verified where one is written. */
export const accountAddress = z
  .string()
  .refine((text) => /^0x/.test(text) && isAddress(text), 'must be an address: 0x and 40 hex digits')
  .transform((text) => getAddress(text))

/** The path of a file that holds a private key and that only its owner can read; see `readKeyFile`. */
export const keyFile = z.string().superRefine((path, context) => {
  const problem = checkKeyFile(path)
  if (problem !== null) context.addIssue({ code: 'custom', message: problem })
})

/** What every server of the network is told; spread it into a service's own schema. */
export const serverVariables = {
  HOST: z.string().default('127.0.0.1'),
  PORT: portNumber,
  METRICS_PORT: portNumber.optional(),
  PUBLIC_URL: origin,
  DATA_DIR: z.string(),
  /** Nodes of one chain, the preferred first; a failing one is left out for a while. */
  RPC_URL: commaList(httpUrl).refine((urls) => urls.length > 0, 'must name a node of the chain'),
  NETWORK_FILE: z.string(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  ALLOW_PRIVATE_ADDRESSES: flag.default(false),
}

function webUrl(text: string): URL | null {
  const url = URL.parse(text)
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') ? url : null
}

function isOrigin(text: string): boolean {
  const url = webUrl(text)
  return url !== null && url.username === '' && url.password === '' && url.href === `${url.origin}/`
}
