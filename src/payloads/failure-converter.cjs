// CommonJS, because Temporal's SDK takes failure converters by `require`, and bundles them with workflows.
const { DefaultFailureConverter } = require('@temporalio/common')

/** Puts messages and stack traces of failures into payloads, which the codec then encrypts. */
exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true })
