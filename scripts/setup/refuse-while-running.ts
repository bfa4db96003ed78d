// Run by bootstrap.sh before packages are installed, so it may import nothing but Node's own modules:
// replacing node_modules under a running network would break it.
import { findRunningNetwork, NetworkRunningError } from './running-network.ts'

const directory = process.argv[2]
if (directory === undefined) throw new Error('usage: refuse-while-running.ts DIRECTORY')
const pid = findRunningNetwork(directory)
if (pid !== undefined) {
  process.stderr.write(`${new NetworkRunningError(pid, directory).message}\n`)
  process.exitCode = 2
}
