import { SetupError } from './setup-error.ts'

const supported = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

/** Throws SetupError where the binaries that we start (Postgres, anvil) do not exist. */
export function checkPlatform(
  platform: string = process.platform,
  arch: string = process.arch,
  nodeVersion: string = process.versions.node,
): void {
  const name = `${platform}-${arch}`
  if (!supported.includes(name)) {
    throw new SetupError(
      `Hexachord runs on ${supported.join(', ')}; this is ${name}. On Windows, use WSL2 with Debian or Ubuntu.`,
    )
  }
  if (Number.parseInt(nodeVersion, 10) < 24) {
    throw new SetupError(
      `Hexachord needs Node 24 or newer; this is ${nodeVersion}. scripts/start and scripts/test bring it.`,
    )
  }
}
