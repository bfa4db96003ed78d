export { ask, askNewPassword, askPassword } from './ask.ts'
export { type Bar, progressBar } from './progress-bar.ts'
