" Prints what each character of the buffer is highlighted as, one line per run of the same group: LINE<TAB>TEXT<TAB>GROUPS,
" the groups from the outermost to the innermost.
let s:said = []
for s:line in range(1, line('$'))
  let s:text = getline(s:line)
  let s:run = ''
  let s:before = ''
  for s:column in range(1, strlen(s:text))
    let s:groups = join(map(synstack(s:line, s:column), 'synIDattr(v:val, "name")'), ' ')
    if s:groups !=# s:before && s:run !=# ''
      call add(s:said, join([s:line, s:run, s:before], "\t"))
      let s:run = ''
    endif
    let s:before = s:groups
    let s:run .= s:text[s:column - 1]
  endfor
  call add(s:said, join([s:line, s:run, s:before], "\t"))
endfor
call writefile(s:said, $WIRETALK_HIGHLIGHTED)
qall!
