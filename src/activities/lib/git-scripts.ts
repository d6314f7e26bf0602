import { RUNNER_HOME } from './runner.ts'

/**
 * Stages all that isn't ignored. Of a repository within the repository git would take the commit alone, and nothing where there is none:
 * unless it is a submodule, its files are taken as any others. An entry in it, of no file, has git go in there, and goes itself by that.
 */
export const ADD_ALL = `inner=$(mktemp); empty=$(git hash-object --stdin </dev/null)
submodules=$(git config -f .gitmodules --get-regexp '^submodule\\..*\\.path$' | cut -d ' ' -f 2- || true)
inner() {
  { git ls-files -zo --exclude-standard | grep -z '/$'
    git ls-files -zs | grep -z '^160000 [^ ]* 0' | cut -zf 2- | grep -zvxF -e "$submodules" | sed -z 's|$|/|'
  } | while IFS= read -r -d '' path; do
    [ -z "$(ls -A -- "$path" 2>/dev/null)" ] || printf '100644 %s\\t%s.holdfast\\0' "$empty" "$path"
  done
}
while inner >"$inner"; [ -s "$inner" ]; do git update-index -z --index-info <"$inner"; done
rm -f "$inner"; git add -A`

/** Names the working tree's content as a tree, through an index of its own, so that the user's index stays as it is. */
export const TREE = `index=$(mktemp -u); own=$(git rev-parse --git-path index)
[ ! -e "$own" ] || cp "$own" "$index"
export GIT_INDEX_FILE=$index
${ADD_ALL}
tree=$(git write-tree); rm -f "$index"; unset GIT_INDEX_FILE`

/** Behind it are known the work's `tree`, and the `parents` of a commit of it: HEAD, and what is being merged. */
export const LOOK = `head=$(git rev-parse HEAD)
merging=$(grep -aoxE '[0-9a-f]{40,64}' "$(git rev-parse --git-path MERGE_HEAD)" 2>/dev/null || true)
parents=$(echo $head $merging)
${TREE}`

/** The same of what an earlier look has named in `$SEEN`, where it did. Exit code 4 says that it isn't there any more. */
export const SEEN = `if [ -n "$SEEN" ]; then
  for object in $SEEN; do git cat-file -e "$object" 2>/dev/null || exit 4; done
  tree=\${SEEN%% *} parents=\${SEEN#* }
else
${LOOK}
fi`

/** Branches and tags, then stashes, the newest first, as a blob's name. A line each: object, ref (or `stash`), a stash's message. */
const REFS = `$({ git for-each-ref --format='%(objectname) %(refname)' refs/heads refs/tags
  git stash list --format='%H stash %gs'; } | git hash-object -w --stdin)`

/** Behind `TREE`: HEAD, tree, index and refs in a line. An index in the middle of a merge has no tree. */
export const STATE = `$(git rev-parse HEAD) $tree $(git write-tree 2>/dev/null || echo "$tree") ${REFS}`

/** Written before each pause, read after the resume. */
const SENTINEL = `${RUNNER_HOME}/sentinel`

/** Writes the sentinel from `$SENTINEL`. */
export const WRITE_SENTINEL = `printf %s "$SENTINEL" >${SENTINEL}`

/** Prints HEAD, tree and sentinel, a line each. */
export const FINGERPRINT = `${TREE}
git rev-parse HEAD; echo "$tree"; cat ${SENTINEL} || true`

/**
 * Prints HEAD, tree, index, refs and checked-out branch, a line each; then, unless the first four are `$KNOWN`, the commit of
 * a bundle made in `$FILE` of all that the commits in `$HAVE` don't reach. It has the tags where they aren't of `$HAVE_REFS`.
 */
export const SAVE = `rm -f ${RUNNER_HOME}/checkpoint-*.bundle
${WRITE_SENTINEL}
${TREE}
head=$(git rev-parse HEAD)
# An index in the middle of a merge has no tree.
staged=$(git write-tree 2>/dev/null) || staged=$tree
refs=${REFS}
printf '%s\\n' "$head" "$tree" "$staged" "$refs" "$(git symbolic-ref --quiet HEAD || true)"
[ "$head $tree $staged $refs" != "$KNOWN" ] || exit 0
index=$(git commit-tree -p "$head" -m index "$staged")
# Whatever a branch, tag or stash has goes with the work, as its ancestor.
set --
for tip in $(git for-each-ref --no-merged="$head" --format='%(objectname)' refs/heads refs/tags; git stash list --format=%H); do
  set -- "$@" -p "$tip^{commit}"
done
others=$(git commit-tree "$@" -m refs "$(printf '100644 blob %s\\trefs\\n' "$refs" | git mktree)")
# By its message it differs from every earlier one: work that is as it once was makes a bundle too.
work=$(git commit-tree -p "$head" -p "$index" -p "$others" -m "$REF" "$tree")
git update-ref "$REF" "$work"
set --
for have in $HAVE; do if git cat-file -e "$have^{commit}" 2>/dev/null; then set -- "$@" "^$have"; fi; done
[ "$refs" = "$HAVE_REFS" ] || set -- "$@" --tags
git bundle create --quiet "$FILE" "$REF" --branches "$@"
echo "$work"`

/** Makes the repository as its checkpoint has it, from the remote's base and the bundles in `$FILES`; then as `FINGERPRINT`. */
export const RESTORE = `if [ ! -d "$REPOSITORY" ]; then
  rm -rf "$REPOSITORY.partial"
  git init --quiet "$REPOSITORY.partial"
  cd "$REPOSITORY.partial"
  git remote add -t "$BASE" origin "$URL"
  git fetch --no-tags $DEPTH origin "$BASE_COMMIT" || git fetch --no-tags origin "$BASE"
  git cat-file -e "$BASE_COMMIT^{commit}" || exit 4
  git update-ref "refs/remotes/origin/$BASE" "$BASE_COMMIT"
  mv "$REPOSITORY.partial" "$REPOSITORY"
fi
cd "$REPOSITORY"
# A checkpoint of an earlier version doesn't say which refs there were.
heads=; [ -n "$REFS" ] || heads='+refs/heads/*:refs/heads/*'
for file in $FILES; do
  git fetch --quiet --no-tags --update-head-ok "$file" '+refs/holdfast/*:refs/holdfast/*' $heads
done
if [ -n "$REFS" ]; then
  git for-each-ref --format='delete %(refname)' refs/heads refs/tags | git update-ref --stdin
  git cat-file blob "$REFS" | sed -n 's|^\\([^ ]*\\) \\(refs/.*\\)|create \\2 \\1|p' | git update-ref --stdin
  git stash clear
  git cat-file blob "$REFS" | tac | while read -r object ref message; do
    [ "$ref" != stash ] || git stash store --quiet -m "$message" "$object"
  done
fi
if [ -n "$HEAD_REF" ]; then git update-ref "$HEAD_REF" "$HEAD_COMMIT"; git symbolic-ref HEAD "$HEAD_REF"
else git update-ref --no-deref HEAD "$HEAD_COMMIT"; fi
git read-tree --reset -u "$WORK_TREE"
git clean -fdq
git read-tree "$STAGED"
# Which commit a submodule is at, an empty folder doesn't say.
git ls-tree -rz "$WORK_TREE" | grep -z '^160000 ' | git update-index -z --index-info
git update-index -q --refresh || true
${WRITE_SENTINEL}
${FINGERPRINT}`

/** Defines `ours REVISION`: the commit after the base that carries the job's trailer, if there is one. */
export const OURS = `ours() {
  tab=$(printf '\\t')
  git log --format='%H%x09%(trailers:key=Holdfast-Job,valueonly,separator=%x2C)' "$BASE..$1" | while IFS=$tab read -r sha value; do
    [ "$value" = "$TRAILER" ] && echo "$sha" && break
  done
}`

/**
 * Commits what was seen, whatever was written since: that stays in the working tree. A commit of the job's trailer is its own only
 * if it is of what was seen. Exit code 3 says that nothing differs from the base.
 */
export const COMMIT = `${OURS}
there=$(ours HEAD || true)
if [ -n "$there" ] && { [ -z "$SEEN" ] || [ "$(git log -1 --no-show-signature --format='%T %P' "$there")" = "$SEEN" ]; }; then
  echo "$there"; exit 0
fi
${SEEN}
case $(git rev-parse "$BASE^{tree}" "\${parents%% *}^{tree}" | uniq) in "$tree") exit 3;; esac
message=$(printf %s "$MESSAGE" | git stripspace | git interpret-trailers --no-divider --trailer "Holdfast-Job: $TRAILER")
commit=$(printf '%s\\n' "$message" | git commit-tree "$tree" $(printf -- '-p %s ' $parents))
git reset --quiet "$commit"
echo "$commit"`

const REBASE = `${RUNNER_HOME}/rebase`

/**
 * Pushes `$COMMIT`; prints the commit that the branch should hold and the one that it holds. Whatever is said of the push,
 * and whether or not it arrived: the remote itself knows. Exit code 3 is a conflict.
 */
export const PUSH = `${OURS}
# A remote that does not answer has not answered "nothing". Asked from outside the repository, whose config may lead elsewhere.
head() { refs=$(cd / && git ls-remote "$URL" "refs/heads/$BRANCH") || return; printf %s "$refs" | cut -f 1; }
push() { git push --no-verify --force-with-lease="refs/heads/$BRANCH:$1" "$URL" "$2:refs/heads/$BRANCH" >&2; }
commit=$COMMIT code=0
remote=$(head)
if [ "$ON_CONFLICT" = rebase ] && [ -n "$remote" ] && [ "$remote" != "$commit" ]; then
  git fetch --quiet --no-tags "$URL" "$remote"
  there=$(ours "$remote" || true)
  if [ -n "$there" ]; then commit=$there remote=$there
  else
    # Beside the work, which stays as the job knows it: its sandbox may be paused, and looked at, before the remote takes the push.
    rm -rf ${REBASE}; git worktree prune
    git worktree add --quiet --detach ${REBASE} "$COMMIT"
    git -C ${REBASE} rebase --quiet --onto "$remote" "$BASE" >&2 || exit 3
    commit=$(git -C ${REBASE} rev-parse HEAD)
    rm -rf ${REBASE}; git worktree prune
  fi
elif [ "$remote" != "$commit" ]; then remote=; fi
if [ "$remote" != "$commit" ]; then
  push "$remote" "$commit" || code=$?
  remote=$(head)
  [ "$remote" = "$commit" ] || [ "$code" = 0 ] || exit "$code"
fi
echo "$commit"; echo "$remote"`
