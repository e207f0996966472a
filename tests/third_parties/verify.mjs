// Prints what jose says of a token by the keys at an address: its claims, or why it is refused.
import { webcrypto } from 'node:crypto'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

globalThis.crypto ??= webcrypto // Node 18 has it here alone

const { address, token, options } = JSON.parse(process.argv[2])
const keys = createRemoteJWKSet(new URL(address))
let answer
try {
  const { payload } = await jwtVerify(token, keys, options)
  answer = { claims: payload }
} catch (error) {
  if (!(error instanceof errors.JOSEError)) throw error
  answer = { refused: [error.code, error.claim].filter(Boolean).join(' ') }
}
console.log(JSON.stringify(answer))
