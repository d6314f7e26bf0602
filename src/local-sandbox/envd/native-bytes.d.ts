/** The native part of node-pty for this machine, put into the bundle as bytes; empty where there is none for it. */
declare module 'holdfast:pty.node' {
  const bytes: Uint8Array
  export default bytes
}

/** The same of @napi-rs/xattr. */
declare module 'holdfast:xattr.node' {
  const bytes: Uint8Array
  export default bytes
}
