-- The payload of a key-value event: enough to make the value again exactly. {"value": ...} of integers, texts and NULL,
-- {"real": "its digits"}, {"blob": "hex"}, {"text": "hex"} of a text with NUL in it.
CASE WHEN typeof(new.value) = 'blob' THEN json_object('blob', hex(new.value), 'expires', new.expires)
      WHEN typeof(new.value) = 'real' THEN json_object('real',
        CASE new.value WHEN 9e999 THEN '9e999' WHEN -9e999 THEN '-9e999' ELSE quote(new.value) END, 'expires', new.expires)
      WHEN typeof(new.value) = 'text' AND instr(new.value, char(0)) THEN
        json_object('text', hex(CAST(new.value AS BLOB)), 'expires', new.expires)
      ELSE json_object('value', new.value, 'expires', new.expires) END
