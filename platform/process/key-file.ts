import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { decryptKeystoreJson, isKeystoreJson, SigningKey } from 'ethers'
import { ConfigError } from './config.ts'

/** Bits of a file mode that let the group or the world in. */
const sharedModeBits = 0o077

/** What is wrong with a key file as a file, or null. */
export function checkKeyFile(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return `names a file that does not exist: ${path}`
  if (!stat.isFile()) return `names something that is not a file: ${path}`
  if ((stat.mode & sharedModeBits) !== 0) return `can be read by others; type: chmod 600 ${path}`
  return null
}

/**
 * Reads a private key: a line `0x` and 64 hex digits, or a Web3 Secret Storage v3 document whose password is the
 * first line of `passwordFile`.
 * @param variable the configuration variable to name in errors
 * @returns the key as `0x` and 64 lower hex digits
 * @throws ConfigError when the file is missing, readable by others, or holds no key
 */
export async function readKeyFile(
  path: string,
  options: { variable?: string; passwordFile?: string | undefined } = {},
): Promise<string> {
  const variable = options.variable ?? basename(path)
  const refuse = (problem: string) => new ConfigError([{ variable, problem }])
  const problem = checkKeyFile(path)
  if (problem !== null) throw refuse(problem)
  const text = readFileSync(path, 'utf8').trim()
  if (!isKeystoreJson(text)) {
    if (!isPrivateKey(text)) {
      throw refuse(`holds no private key (0x and 64 hex digits, or a v3 keystore): ${path}`)
    }
    return text.toLowerCase()
  }
  if (options.passwordFile === undefined) {
    throw refuse(`is an encrypted keystore; name the file with its password in ${variable}_PASSWORD_FILE`)
  }
  const passwordProblem = checkKeyFile(options.passwordFile)
  if (passwordProblem !== null) {
    throw new ConfigError([{ variable: `${variable}_PASSWORD_FILE`, problem: passwordProblem }])
  }
  const [password = ''] = readFileSync(options.passwordFile, 'utf8').split(/\r?\n/)
  try {
    const account = await decryptKeystoreJson(text, password)
    return account.privateKey.toLowerCase()
  } catch (cause) {
    throw new ConfigError([
      { variable, problem: `cannot be decrypted with the given password: ${messageOf(cause)}` },
    ])
  }
}

function isPrivateKey(text: string): boolean {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) return false
  try {
    return new SigningKey(text).publicKey !== ''
  } catch (error) {
    // Zero and numbers past the curve's order look like keys, but are none.
    return !(error instanceof Error)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
