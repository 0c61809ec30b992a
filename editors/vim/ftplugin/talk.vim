" A payload is taken byte for byte: nothing may be wrapped, trimmed or turned into tabs behind the writer's back.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1
let b:undo_ftplugin = 'setlocal comments< commentstring< expandtab< shiftwidth< softtabstop< textwidth< formatoptions<'

setlocal comments=:# commentstring=#\ %s
setlocal expandtab shiftwidth=2 softtabstop=2
setlocal textwidth=0 formatoptions-=t formatoptions-=c
