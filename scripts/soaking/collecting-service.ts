// A service as it always is, but for its garbage, which it collects every few seconds: on a machine with much memory it
// would otherwise let so much of it pile up that nobody could tell it from what is held for ever.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const collectEveryMs = 5_000

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')
setInterval(collect, collectEveryMs).unref()

await import(process.env.SOAK_ENTRY ?? '')
