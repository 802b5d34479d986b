-- output: operators
-- grain:  operator
-- inputs: none
-- params: none
-- what:   How two truth tables are joined. The table of a rule has 8 bits, one for each way in which its
--         three features fire: bit a + 2 b + 4 c. Of the first feature it is 170, of the second 204, of the
--         third 240.
select 'and' as operator, 204 as second_and, 0 as second_or, 240 as third_and, 0 as third_or
union all
select 'or' as operator, 255 as second_and, 204 as second_or, 255 as third_and, 240 as third_or
union all
select 'and not' as operator, 51 as second_and, 0 as second_or, 15 as third_and, 0 as third_or
