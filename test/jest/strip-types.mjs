import { stripTypeScriptTypes } from 'node:module'

/** Jest transform: what `node main.ts` does to a file, Jest does too. */
export default {
  process(source) {
    return { code: stripTypeScriptTypes(source, { mode: 'strip' }) }
  },
}
