/** Unified diff that mends the demo project's `format`; made against the head of `main`. */
export const FIX_PATCH = `diff --git a/src/format.js b/src/format.js
index b477e72..36fc15e 100644
--- a/src/format.js
+++ b/src/format.js
@@ -12,10 +12,11 @@ export function format(milliseconds, { parts = 2 } = {}) {
 
   const last = Math.min(first + parts, UNITS.length) - 1
   const words = []
-  let rest = milliseconds
-  for (let i = first; i <= last; i++) {
-    const { name, size } = UNITS[i]
-    const count = i === last ? Math.round(rest / size) : Math.floor(rest / size)
+  // Round before splitting: what rounds up may carry into a larger unit, even one above the first.
+  const precision = UNITS[last].size
+  let rest = Math.round(milliseconds / precision) * precision
+  for (const { name, size } of UNITS.slice(0, last + 1)) {
+    const count = Math.floor(rest / size)
     rest -= count * size
     if (count > 0) words.push(count + name)
   }
`

/** Unified diff that a reviewer might ask for next: a test of the edge that the first one only implies. Applies after `FIX_PATCH`. */
export const EDGE_CASE_PATCH = `diff --git a/test/format.test.js b/test/format.test.js
index 4706031..f14e296 100644
--- a/test/format.test.js
+++ b/test/format.test.js
@@ -30,3 +30,8 @@ test('refuses what is no duration', () => {
 test('carries a unit that rounds up to a whole larger one', () => {
   assert.equal(format(3_599_600), '1h')
 })
+
+test('carries into a unit above the first one shown', () => {
+  assert.equal(format(59_600), '1m')
+  assert.equal(format(86_399_999, { parts: 4 }), '1d')
+})
`
