// Prints the thumbprint that jose calculates of each key at an address, by the key's id.
import { webcrypto } from 'node:crypto'
import { calculateJwkThumbprint, createRemoteJWKSet } from 'jose'

globalThis.crypto ??= webcrypto // Node 18 has it here alone

const { address } = JSON.parse(process.argv[2])
const remote = createRemoteJWKSet(new URL(address))
await remote.reload()
const thumbprints = {}
for (const key of remote.jwks().keys) thumbprints[key.kid] = await calculateJwkThumbprint(key)
console.log(JSON.stringify(thumbprints))
