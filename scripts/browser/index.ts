export { launchChromium } from './chromium.ts'
export { bundleScript, pageOfScript, type ServedPage, servePage } from './serve-page.ts'
